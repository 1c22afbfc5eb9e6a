module grpcdns.test/bench/load

go 1.25.0

require (
	github.com/miekg/dns v1.1.72
	golang.org/x/sys v0.45.0
	google.golang.org/grpc v1.83.0
)

require (
	golang.org/x/mod v0.35.0 // indirect
	golang.org/x/net v0.55.0 // indirect
	golang.org/x/sync v0.20.0 // indirect
	golang.org/x/text v0.37.0 // indirect
	golang.org/x/tools v0.44.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260526163538-3dc84a4a5aaa // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)
