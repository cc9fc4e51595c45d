/* convert: architectures told from the names and shapes of tensors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/architecture.h"

static const SrganFormat architectures[] = {{NULL, NULL}};

const SrganFormat *
srgan_convert_list_architectures (void)
{
  return architectures;
}

SrganNetwork *
srgan_architecture_build (SrganTensorSet *set, const gchar *file_name,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  srgan_convert_unsupported (error, "the architecture is not known");
  return NULL;
}
