/* srgan-core: the errors that its functions report.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Marks what the shared library exports; everything else is hidden. Headers
 * that are not installed use it too, for what our second library needs: such
 * symbols carry no promise. */
#if defined(__GNUC__)
#define SRGAN_API __attribute__ ((visibility ("default")))
#else
#define SRGAN_API
#endif

#define SRGAN_ERROR (srgan_error_quark ())

/**
 * SrganError:
 * @SRGAN_ERROR_NOT_FOUND: no such file, no such built-in network
 * @SRGAN_ERROR_READ: a file exists and could not be read
 * @SRGAN_ERROR_WRITE: a file could not be written; nothing was left behind
 * @SRGAN_ERROR_CORRUPT: a file is not what it claims to be; the message names
 *   the field
 * @SRGAN_ERROR_UNSUPPORTED: valid, but not something this build can run
 * @SRGAN_ERROR_INVALID: arguments or settings that contradict each other or
 *   lie outside their range
 * @SRGAN_ERROR_TOO_LARGE: the size asked for overflows or exceeds a limit
 * @SRGAN_ERROR_CANCELLED: the caller asked to stop
 *
 * Codes of the %SRGAN_ERROR domain.
 */
typedef enum {
  SRGAN_ERROR_NOT_FOUND,
  SRGAN_ERROR_READ,
  SRGAN_ERROR_WRITE,
  SRGAN_ERROR_CORRUPT,
  SRGAN_ERROR_UNSUPPORTED,
  SRGAN_ERROR_INVALID,
  SRGAN_ERROR_TOO_LARGE,
  SRGAN_ERROR_CANCELLED,
} SrganError;

SRGAN_API
GQuark srgan_error_quark (void);

G_END_DECLS
