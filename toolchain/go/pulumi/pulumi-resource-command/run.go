package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"pgstack/tools/standin"
)

// run runs one command with its arguments' surroundings; previous is the output of the one before it.
func run(call standin.Call, line string, args args, previous output) (output, error) {
	words := []string{"/bin/sh", "-c"}
	if len(args.Interpreter) > 0 {
		words = slices.Clone(args.Interpreter)
	}
	words = append(words, line)
	cmd := exec.CommandContext(call.Context, words[0], words[1:]...)
	interruptible(cmd)
	cmd.Env = environment(args, previous)
	cmd.Dir = args.Dir
	if args.Stdin != "" {
		cmd.Stdin = strings.NewReader(args.Stdin)
	}

	shown, stopShowing := showLines(call)
	var stdout, stderr bytes.Buffer
	both := &lockedBuffer{}
	cmd.Stdout = stream(&stdout, both, shown, args.Logging.stdout())
	cmd.Stderr = stream(&stderr, both, shown, args.Logging.stderr())
	err := cmd.Run()
	stopShowing()
	if err != nil {
		// The official plugin shows the command and its output too; secrets go by environment or stdin.
		return output{}, fmt.Errorf("%w: running %q:\n%s", err, line, both.buffer.String())
	}
	return output{
		Stdout: strings.TrimSuffix(stdout.String(), "\n"),
		Stderr: strings.TrimSuffix(stderr.String(), "\n"),
	}, nil
}

// interruptGrace is what an interrupted command gets to end by itself before it is killed.
const interruptGrace = 5 * time.Second

// interruptible ends the command with all that it started: a child left over would keep its output open.
func interruptible(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = interruptGrace
}

func environment(args args, previous output) []string {
	env := os.Environ()
	for name, value := range args.Environment {
		env = append(env, name+"="+value)
	}
	if args.AddPreviousOutputInEnv != nil && !*args.AddPreviousOutputInEnv {
		return env
	}
	if previous.Stdout != "" {
		env = append(env, "PULUMI_COMMAND_STDOUT="+previous.Stdout)
	}
	if previous.Stderr != "" {
		env = append(env, "PULUMI_COMMAND_STDERR="+previous.Stderr)
	}
	return env
}

// stream is where one stream of a command goes: always to the outputs, and to the user if wanted.
func stream(own, both, shown io.Writer, show bool) io.Writer {
	if show {
		return io.MultiWriter(own, both, shown)
	}
	return io.MultiWriter(own, both)
}

// showLines passes lines to the user as they come; the returned function waits for the last of them.
func showLines(call standin.Call) (io.Writer, func()) {
	reader, writer := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewReader(reader)
		for {
			line, err := lines.ReadString('\n')
			if line != "" {
				call.Show(strings.TrimSuffix(line, "\n"))
			}
			if err != nil {
				return
			}
		}
	}()
	return writer, func() { _ = writer.Close(); <-done }
}

// lockedBuffer keeps both streams in the order in which they came, from two goroutines.
type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (l *lockedBuffer) Write(text []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.buffer.Write(text)
}
