/* base: the parts of CPU detection that tests look at.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

/* The CPU time that control groups allow, in CPUs; 0 where nothing limits it.
 * @membership_path is /proc/self/cgroup, @mount is /sys/fs/cgroup. */
gdouble srgan_cpu_read_quota (const gchar *membership_path, const gchar *mount);

G_END_DECLS
