// Command pulumi-language-nodejs runs Pulumi programs with Node.js. It stands in for the official language host, whose
// Go module cannot be had from the module proxy, and keeps to its protocol and options.
package main

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

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
		os.Exit(1)
	}
}

// serve prints the port that it listens on, as the engine expects of every plugin, and ends with the engine.
func serve() error {
	// The engine may pass it to any plugin; nothing is traced here. (The flags for logging are the SDK's.)
	flag.String("tracing", "", "ignored")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	cancel := make(chan bool)
	context.AfterFunc(ctx, func() { close(cancel) })

	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, newHost(ctx, stop, flag.Arg(0)))
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}
