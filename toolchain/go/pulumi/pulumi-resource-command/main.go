// Command pulumi-resource-command stands in for the official command plugin, which is in no package registry. It serves
// local.Command of @pulumi/command, without assetPaths and archivePaths.
package main

import "pgstack/tools/standin"

func main() {
	standin.Main(standin.Plugin{
		Name:        "command",
		Version:     "1.2.1+standin", // the SDK's; the build metadata says that this is not the official plugin
		Description: "Stand-in for the command plugin: local.Command",
		Resources:   map[string]standin.Resource{"command:local:Command": command},
	})
}
