module example.com/fuzzdumps

go 1.24

require gomem/heapreader v0.0.0

replace gomem/heapreader => ../../pytest_gomem/retention/reader
