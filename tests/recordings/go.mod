module gomem.test/recordings

go 1.19
