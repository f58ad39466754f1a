module callbackserver

go 1.22
