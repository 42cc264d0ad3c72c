// Command pulumi-resource-docker serves the upstream Terraform provider under the types of @pulumi/docker, by Pulumi's
// own bridge. The official plugin's native Image resource, which builds images, is not in it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
)

// version is that of the SDK; the build metadata says that this is not the official plugin.
const version = "5.2.0+standin"

// schema is what the engine may ask for. Programs are typed by the SDK, so its types are not repeated here.
const schema = `{"name": "docker", "version": "` + version + `", "description": "` + description + `"}`

const description = "Stand-in for the docker plugin: the upstream provider, without the Image resource"

func main() {
	info, err := provider()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-docker:", err)
		os.Exit(1)
	}
	info.P.InitLogging(context.Background())
	if err := tfbridge.Serve("docker", version, info, []byte(schema)); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-docker:", err)
		os.Exit(1)
	}
}
