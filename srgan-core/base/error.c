/* base: the error domain.
 *
 * SPDX-License-Identifier: MIT
 */
#include <srgan/srgan-error.h>

GQuark
srgan_error_quark (void)
{
  return g_quark_from_static_string ("srgan-error-quark");
}
