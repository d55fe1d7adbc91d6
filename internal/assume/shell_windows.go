package assume

import (
	"context"
	"os/exec"
	"syscall"
)

// shellCommand hands a command line to cmd.exe as it stands: /S takes the outer quotes off and nothing else. Quoted as
// Go quotes an argument, with \", cmd.exe would not find a program whose path has a blank.
func shellCommand(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /D /S /C "` + command + `"`}
	return cmd
}
