// Package shim reaches the upstream provider: its package is internal, and only a module below its own path may import it.
package shim

import "github.com/terraform-providers/terraform-provider-docker/internal/provider"

// New makes the upstream provider's classic (SDK v2) half.
var New = provider.New
