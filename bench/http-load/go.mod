module lockstep.example/bench/http-load

go 1.24.0
