module annbench

go 1.26.8
