/* tests: runs one of our programs.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Runs program @name from the build (the folder SRGAN_TOOLS) with the arguments
 * that follow, ended by %NULL. @output and @messages (optional): its stdout and
 * stderr. Returns: its exit code; aborts when a signal ended it. */
gint run_tool (gchar **output, gchar **messages, const gchar *name,
    ...) G_GNUC_NULL_TERMINATED;

/* The same through a shell: @arguments may redirect. */
gint run_tool_in_shell (gchar **output, gchar **messages, const gchar *name,
    const gchar *arguments);

G_END_DECLS
