// Package standin serves a few resources under the types of an official plugin that is in no package registry.
package standin

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// Plugin is one plugin: its name, its version, and its resources by type token.
type Plugin struct {
	Name        string
	Version     string
	Description string
	Resources   map[string]Resource
}

// Main serves the plugin until the engine ends it.
func Main(plugin Plugin) {
	if err := serve(plugin); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-%s: %v\n", plugin.Name, err)
		os.Exit(1)
	}
}

// serve prints the port that it listens on, as the engine expects of every plugin.
func serve(plugin Plugin) error {
	// The engine may pass it to any plugin; nothing is traced here. (The flags for logging are the SDK's.)
	flag.String("tracing", "", "ignored")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cancel := make(chan bool)
	context.AfterFunc(ctx, func() { close(cancel) })

	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(rpc *grpc.Server) error {
			server := &server{plugin: plugin, ctx: ctx, stop: stop}
			pulumirpc.RegisterResourceProviderServer(rpc, server)
			return server.connect(flag.Arg(0))
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}
