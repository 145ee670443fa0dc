package ui

//go:generate sh -c "cd ../../tools && go run ./bundle ../console/ui"
