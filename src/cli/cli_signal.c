/* SPDX-License-Identifier: MIT */
/* Ctrl-C and its relatives: work that takes long looks for them now and then, and ends cleanly. */
#include "cli/cli.h"

#include <signal.h>

static volatile sig_atomic_t signal_met;

static void signal_note(int number)
{
    signal_met = number;
}

void cli_signals_catch(bool on)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {0};
    action.sa_handler = on ? signal_note : SIG_DFL;
    action.sa_flags = (int)SA_RESETHAND;
    if (on) signal_met = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

int cli_signal(void)
{
    return signal_met;
}
