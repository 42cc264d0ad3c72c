package main

import (
	"context"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

// engineCheckInterval is how often the host looks whether the engine still lives; a killed engine leaves it behind.
const engineCheckInterval = 30 * time.Second

// host serves one engine. What it does not implement (writing SDKs and converting programs) answers "unimplemented".
type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	engineAddress string

	// ctx ends at an interrupt or at the engine's Cancel; every Node.js process is started under it.
	ctx  context.Context
	stop context.CancelFunc
}

func newHost(ctx context.Context, stop context.CancelFunc, engineAddress string) *host {
	h := &host{ctx: ctx, stop: stop}
	h.follow(engineAddress)
	return h
}

// follow notes the engine's address and ends the host when nothing answers there any more.
func (h *host) follow(engineAddress string) {
	if engineAddress == "" || engineAddress == h.engineAddress {
		return
	}
	h.engineAddress = engineAddress
	// The only error is a malformed address, which the first call to the engine reports better.
	_ = rpcutil.Healthcheck(h.ctx, engineAddress, engineCheckInterval, h.stop)
}

func (h *host) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.follow(req.GetEngineAddress())
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

// Cancel interrupts the programs that run, and so lets them end in their own way.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.stop()
	return &emptypb.Empty{}, nil
}
