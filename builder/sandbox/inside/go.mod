module twinseal/inside

go 1.18
