/* kernels: convolutions of several groups and strides, in vectors. Part of
 * kernels-vector.h.
 *
 * One channel in, one out: lanes hold channels. Other groups: a vector of
 * outputs reads the channels of the groups that it lies in, and no others. A
 * stride alone: srgan_convolution_pack_strided().
 *
 * SPDX-License-Identifier: MIT
 */

/* Pixels whose sums are in registers at a time. */
#define DEPTHWISE_PIXELS 4

/* @n pixels, a constant, of one vector of channels. */
INLINE void
depthwise_block (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, gsize c, gsize x, guint n)
{
  const gsize in_stride = convolution->in_stride;
  const gsize out_stride = convolution->out_stride;
  const gsize step = convolution->stride * in_stride;
  const gfloat *weight = convolution->weight + c;
  const Vector slope = load_vector (convolution->slope + c);
  Vector sum[DEPTHWISE_PIXELS];

  UNROLL
  for (guint p = 0; p < n; p++)
    sum[p] = load_vector (convolution->bias + c);
  for (guint ky = 0; ky < convolution->kernel_height; ky++) {
    const gfloat *input = rows[ky] + x * step + c;

    for (guint kx = 0; kx < convolution->kernel_width; kx++) {
      const Vector w = load_vector (weight);

      UNROLL
      for (guint p = 0; p < n; p++)
        sum[p] =
            multiply_add_vector (load_vector (input + p * step), w, sum[p]);
      weight += out_stride;
      input += in_stride;
    }
  }
  UNROLL
  for (guint p = 0; p < n; p++)
    store_vector (
        output + (x + p) * out_stride + c, activate_vector (sum[p], slope));
}

static void
convolve_depthwise (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *output, guint width)
{
  const gsize in_stride = convolution->in_stride;
  const gsize out_stride = convolution->out_stride;

  if (in_stride % LANES != 0 || out_stride % LANES != 0) {
    /* few channels: whole vectors would reach beyond the row */
    for (gsize x = 0; x < width; x++)
      for (gsize c = 0; c < out_stride; c++) {
        const gfloat *weight = convolution->weight + c;
        gfloat sum = convolution->bias[c];

        for (guint ky = 0;
             c < convolution->out_channels && ky < convolution->kernel_height;
             ky++) {
          const gfloat *input =
              rows[ky] + x * convolution->stride * in_stride + c;

          for (guint kx = 0; kx < convolution->kernel_width; kx++) {
            sum = multiply_add_scalar (*input, *weight, sum);
            weight += out_stride;
            input += in_stride;
          }
        }
        output[x * out_stride + c] =
            sum > 0 ? sum : convolution->slope[c] * sum;
      }
    return;
  }
  for (gsize c = 0; c < out_stride; c += LANES) {
    gsize x = 0;

    for (; x + DEPTHWISE_PIXELS <= width; x += DEPTHWISE_PIXELS)
      depthwise_block (convolution, rows, output, c, x, DEPTHWISE_PIXELS);
    for (; x < width; x++)
      depthwise_block (convolution, rows, output, c, x, 1);
  }
}

static void
convolve_groups (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, guint width)
{
  SrganConvolution part = *convolution;
  const gfloat *inputs[SRGAN_KERNEL_MAX_SIDE];

  part.in_channels = convolution->group_inputs;
  for (guint v = 0; v * LANES < convolution->out_stride; v++) {
    guint first = srgan_convolution_get_first_input (convolution, v * LANES);

    for (guint ky = 0; ky < convolution->kernel_height; ky++)
      inputs[ky] = rows[ky] + first;
    convolve_vector (&part, inputs, output, v, width);
  }
}

static gboolean
pack_grouped (SrganConvolution *convolution, guint in_channels, guint in_stride,
    guint out_channels, guint kernel_width, guint kernel_height, guint stride,
    guint groups, const gfloat *weight, const gfloat *bias, const gfloat *slope)
{
  guint out_stride = get_channel_stride (out_channels);

  if (groups == in_channels && groups == out_channels)
    return srgan_convolution_pack_depthwise (convolution, in_channels,
        in_stride, out_stride, kernel_width, kernel_height, stride, weight,
        bias, slope);
  if (stride == 1 && groups > 1)
    return srgan_convolution_pack_groups (convolution, in_channels, in_stride,
        out_channels, out_stride, kernel_width, kernel_height, groups, weight,
        bias, slope, LANES);
  return srgan_convolution_pack_strided (convolution, in_channels, in_stride,
      out_channels, kernel_width, kernel_height, stride, groups, weight, bias,
      slope, pack_convolution);
}
