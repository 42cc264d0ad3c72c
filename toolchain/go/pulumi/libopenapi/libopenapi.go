// Package libopenapi takes the place of the library of this name in this build of the CLI. There it costs a tenth of the
// build's time and serves one command only, `pulumi api`, for a service that a machine with nothing but package
// registries does not reach. So here are only the names that the command is compiled with, and an error.
package libopenapi

import (
	"errors"

	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

var errLeftOut = errors.New("this build of the CLI leaves out `pulumi api`; install the official Pulumi CLI for it")

// Document is never made.
type Document struct{}

// DocumentModel is never made.
type DocumentModel struct{ Model v3.Document }

// NewDocument always fails.
func NewDocument([]byte) (*Document, error) { return nil, errLeftOut }

// BuildV3Model always fails.
func (*Document) BuildV3Model() (*DocumentModel, error) { return nil, errLeftOut }
