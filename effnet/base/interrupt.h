// Ctrl-C without loss of data. The signal handler only sets a flag. Long work checks the flag between steps, where it
// can stop safely, and throws. Unwinding removes temporary files and releases locks; the exit code is 130.
#pragma once

namespace effnet {

// Installs the handler for SIGINT, SIGTERM and SIGHUP. A second SIGINT or SIGTERM ends the process at once. SIGHUP (a
// closed terminal, a lost connection) sets the flag too, but never ends the process, because shell and kernel may both
// send it. If SIGHUP is ignored (nohup), it stays ignored.
void install_interrupt_handlers();
bool interrupted() noexcept;
void check_interrupt();                    // throws Error(interrupted) if a signal has arrived
void interruptible_sleep(double seconds);  // throws Error(interrupted) if a signal has arrived or arrives meanwhile

// While an object of this class exists, the first SIGINT or SIGTERM writes `text` to stderr, in the handler. For work
// that stops only at its next step, which may take a minute: a person sees at once that the signal has arrived. Null:
// nothing is written. The text must outlive the object. There may be one object at a time.
class InterruptNotice {
 public:
  explicit InterruptNotice(const char* text) noexcept;
  ~InterruptNotice();
  InterruptNotice(const InterruptNotice&) = delete;
  InterruptNotice& operator=(const InterruptNotice&) = delete;
};

// execv removes all signal handlers. block_signals() makes SIGINT, SIGTERM and SIGHUP pending, also across execv, until
// the next program has installed its handlers and calls unblock_signals().
void block_signals();
void unblock_signals();

// While an object of this class exists, check_interrupt() does not throw on this thread. Used to save a checkpoint
// after a signal: the write must not stop half way.
class DeferInterrupts {
 public:
  DeferInterrupts() noexcept;
  ~DeferInterrupts();
  DeferInterrupts(const DeferInterrupts&) = delete;
  DeferInterrupts& operator=(const DeferInterrupts&) = delete;
};

}  // namespace effnet
