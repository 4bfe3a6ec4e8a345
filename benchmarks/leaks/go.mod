module example.com/leaks

go 1.24

require example.com/sessions v0.0.0

replace example.com/sessions => ./sessions
