module example.com/dumpcost

go 1.24
