package standin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// server answers the engine. What it does not implement answers "unimplemented", for which the engine has defaults.
type server struct {
	pulumirpc.UnimplementedResourceProviderServer

	plugin Plugin
	engine pulumirpc.EngineClient
	ctx    context.Context // ends with the engine's Cancel
	stop   context.CancelFunc
}

func (s *server) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: s.plugin.Version}, nil
}

func (s *server) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	schema, err := json.Marshal(map[string]string{
		"name": s.plugin.Name, "version": s.plugin.Version, "description": s.plugin.Description,
	})
	return &pulumirpc.GetSchemaResponse{Schema: string(schema)}, err
}

// Configure asks for plain values: the engine then marks each output secret itself whose input was, and the SDK names
// the outputs that always are.
func (s *server) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{SupportsPreview: true}, nil
}

func (s *server) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	s.stop()
	return &emptypb.Empty{}, nil
}

func (s *server) Check(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	resource, err := s.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	return resource.check(req.GetNews()), nil
}

func (s *server) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	resource, err := s.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	return resource.diff(req.GetOldInputs(), req.GetNews()), nil
}

func (s *server) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	resource, err := s.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	if req.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: resource.preview(req.GetProperties())}, nil
	}
	id, state, err := resource.create(s.call(ctx, req.GetUrn()), req.GetProperties())
	return &pulumirpc.CreateResponse{Id: id, Properties: state}, err
}

func (s *server) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	resource, err := s.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	if req.GetPreview() {
		return &pulumirpc.UpdateResponse{Properties: resource.preview(req.GetNews())}, nil
	}
	state, err := resource.update(s.call(ctx, req.GetUrn()), req.GetNews(), req.GetOlds())
	return &pulumirpc.UpdateResponse{Properties: state}, err
}

func (s *server) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	resource, err := s.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, resource.delete(s.call(ctx, req.GetUrn()), req.GetProperties())
}

// Read finds what the state says: none of these resources lives anywhere else.
func (s *server) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	if len(req.GetProperties().GetFields()) == 0 {
		return nil, fmt.Errorf("%s: this stand-in for the official plugin cannot import resources", s.plugin.Name)
	}
	return &pulumirpc.ReadResponse{Id: req.GetId(), Properties: req.GetProperties(), Inputs: req.GetInputs()}, nil
}

func (s *server) resource(name string) (Resource, error) {
	token := string(urn.URN(name).Type())
	if resource, ok := s.plugin.Resources[token]; ok {
		return resource, nil
	}
	return nil, status.Errorf(codes.NotFound,
		"%s is not served here: this is a stand-in for the official %s plugin", token, s.plugin.Name)
}
