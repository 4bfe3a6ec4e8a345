module example.com/tuneservices

go 1.24
