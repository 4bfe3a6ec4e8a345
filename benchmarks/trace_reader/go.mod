module gomem.test/trace_reader

go 1.21
