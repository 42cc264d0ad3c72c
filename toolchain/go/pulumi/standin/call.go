package standin

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Call is what a resource may know of its surroundings while it is created, updated or deleted.
type Call struct {
	Context context.Context // ends when the user interrupts
	Name    string          // the resource's logical name
	// Show lets the user see a line while the resource is worked on.
	Show func(line string)
}

func (s *server) connect(engineAddress string) error {
	if engineAddress == "" {
		return nil
	}
	conn, err := grpc.NewClient(engineAddress,
		grpc.WithTransportCredentials(insecure.NewCredentials()), rpcutil.GrpcChannelOptions())
	s.engine = pulumirpc.NewEngineClient(conn)
	return err
}

func (s *server) Attach(_ context.Context, req *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.connect(req.GetAddress())
}

func (s *server) call(ctx context.Context, name string) Call {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(s.ctx, cancel)
	return Call{Context: ctx, Name: urn.URN(name).Name(), Show: func(line string) { s.show(ctx, name, line) }}
}

func (s *server) show(ctx context.Context, name, line string) {
	if s.engine == nil {
		return
	}
	// A line that cannot be shown is no reason to fail what it is about.
	_, _ = s.engine.Log(ctx, &pulumirpc.LogRequest{
		Severity: pulumirpc.LogSeverity_INFO, Message: line, Urn: name, Ephemeral: true,
	})
}
