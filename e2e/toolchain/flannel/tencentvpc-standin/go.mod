// A stand-in, not the real SDK: see v20170312/vpc.go.
module github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/vpc

go 1.26.0
