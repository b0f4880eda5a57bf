// Package v20170312 is a STAND-IN for the Tencent Cloud VPC SDK, whose module
// the module proxy does not serve. flanneld links its tencent-vpc backend in
// unconditionally, so the names that backend uses must exist; nothing behind
// them does. The lab uses the vxlan backend; an attempt to use tencent-vpc ends
// with errStandIn before any request is made.
package v20170312

import "errors"

var errStandIn = errors.New("this flanneld was built with a stand-in for the Tencent VPC SDK: the tencent-vpc backend is not available")

// Client stands in for the SDK's client; every call on it fails.
type Client struct{}

// Filter, Route and RouteTable carry the fields that flannel's backend reads.
type (
	Filter struct {
		Name   *string
		Values []*string
	}
	Route struct {
		RouteId                                                 *uint64
		DestinationCidrBlock, GatewayType, GatewayId, RouteType *string
		Enabled                                                 *bool
	}
	RouteTable struct {
		RouteTableId *string
		RouteSet     []*Route
	}
)

// The requests and the one response that flannel's backend builds and reads.
type (
	DescribeRouteTablesRequest  struct{ Filters []*Filter }
	DescribeRouteTablesResponse struct {
		Response *struct{ RouteTableSet []*RouteTable }
	}
	DeleteRoutesRequest struct {
		RouteTableId *string
		Routes       []*Route
	}
	CreateRoutesRequest DeleteRoutesRequest
)

func NewClientWithSecretId(_, _, _ string) (*Client, error) { return &Client{}, nil }
func NewDescribeRouteTablesRequest() *DescribeRouteTablesRequest {
	return &DescribeRouteTablesRequest{}
}
func NewDeleteRoutesRequest() *DeleteRoutesRequest { return &DeleteRoutesRequest{} }
func NewCreateRoutesRequest() *CreateRoutesRequest { return &CreateRoutesRequest{} }

func (*Client) DescribeRouteTables(*DescribeRouteTablesRequest) (*DescribeRouteTablesResponse, error) {
	return nil, errStandIn
}
func (*Client) DeleteRoutes(*DeleteRoutesRequest) (any, error) { return nil, errStandIn }
func (*Client) CreateRoutes(*CreateRoutesRequest) (any, error) { return nil, errStandIn }
