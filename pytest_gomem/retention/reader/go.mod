module gomem/heapreader

go 1.21
