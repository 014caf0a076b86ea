package main

import (
	"context"
	"fmt"

	docs "github.com/urfave/cli-docs/v3"
	"github.com/urfave/cli/v3"
)

// manCommand prints the manual page, which releases carry.
func manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Category: categoryLook, Usage: "Print the manual page, to be read by man -l -",
		Action: func(_ context.Context, cmd *cli.Command) error {
			page, err := docs.ToManWithSection(cmd.Root(), 1)
			if err != nil {
				return fmt.Errorf("make the manual page: %w", err)
			}
			if _, err := fmt.Fprint(cmd.Root().Writer, page); err != nil {
				return fmt.Errorf("print the manual page: %w", err)
			}
			return nil
		},
	}
}
