/* kernels: activations with curves, in vectors. Part of kernels-vector.h.
 *
 * Sigmoid, tanh and SiLU come from exp (x) - 1, which is exact near 0 where
 * exp (x) is not: x = n log 2 + r, |r| <= log (2) / 2 (Cody and Waite, Software
 * Manual for the Elementary Functions, 1980), and Taylor's series of degree 7
 * for exp (r) - 1, whose remainder is below a tenth of a float's rounding.
 * Every operation is the same in all sets, so that all give the same bits.
 *
 * SPDX-License-Identifier: MIT
 */

INLINE Vector
select_vector (IntVector mask, Vector yes, Vector no)
{
  return (Vector) ((mask & (IntVector) yes) | (~mask & (IntVector) no));
}

/* Within [low, high], which must be numbers; low for NaN. */
INLINE Vector
clamp_vector (Vector x, Vector low, Vector high)
{
  x = select_vector (x > low, x, low);
  return select_vector (x < high, x, high);
}

/* exp (x) - 1 for |x| <= 87, of which no more is needed: beyond, what it is
 * taken for has come to its limit. */
INLINE Vector
exp_less_1 (Vector x)
{
  /* adding it leaves the nearest whole number in the last bits */
  const Vector magic = fill_vector (0x1.8p23f);
  Vector shifted, n, r, q, power;

  x = clamp_vector (x, fill_vector (-86), fill_vector (87));
  shifted = multiply_add_vector (x, fill_vector (1.44269504088896341f), magic);
  n = shifted - magic;
  /* log (2) in two parts: n times the first, 355 / 512, is exact */
  r = multiply_add_vector (n, fill_vector (-0.693359375f), x);
  r = multiply_add_vector (n, fill_vector (2.12194440054690583e-4f), r);
  q = fill_vector (1.f / 5040);
  q = multiply_add_vector (q, r, fill_vector (1.f / 720));
  q = multiply_add_vector (q, r, fill_vector (1.f / 120));
  q = multiply_add_vector (q, r, fill_vector (1.f / 24));
  q = multiply_add_vector (q, r, fill_vector (1.f / 6));
  q = multiply_add_vector (q, r, fill_vector (.5f));
  q = multiply_add_vector (q, r * r, r);
  power = (Vector) (((IntVector) shifted << 23) + (IntVector) fill_vector (1));
  return multiply_add_vector (power, q, power - fill_vector (1));
}

INLINE Vector
sigmoid_vector (Vector x)
{
  return fill_vector (1) / (fill_vector (2) + exp_less_1 (-x));
}

INLINE Vector
tanh_vector (Vector x)
{
  const IntVector sign = (IntVector) fill_vector (-0.f);
  Vector e = exp_less_1 ((Vector) ((IntVector) (x + x) & ~sign));

  e /= e + fill_vector (2);
  return (Vector) ((IntVector) e | ((IntVector) x & sign));
}

/* sqrt() is exactly rounded everywhere; x >= @least. */
INLINE Vector
root_vector (Vector x, gfloat least)
{
  x = select_vector (x > fill_vector (least), x, fill_vector (least));
  for (guint i = 0; i < LANES; i++)
    x[i] = __builtin_sqrtf (x[i]);
  return x;
}

/* Rows of SrganCurve.coefficients. */
INLINE Vector
spline_vector (Vector x, const gfloat *coefficients, gsize stride)
{
  const Vector one = fill_vector (1);
  Vector row[SRGAN_CURVE_COEFFICIENTS];
  Vector low, middle, high;

  UNROLL
  for (guint i = 0; i < SRGAN_CURVE_COEFFICIENTS; i++)
    row[i] = load_vector (coefficients + i * stride);
  low = multiply_add_vector (row[1], x, row[0]);
  middle =
      multiply_add_vector (multiply_add_vector (row[4], x, row[3]), x, row[2]) *
      x;
  high = multiply_add_vector (row[6], x, row[5]);
  return select_vector (x > -one, select_vector (x < one, middle, high), low);
}

INLINE Vector
curve_vector (Vector x, SrganCurveKind kind, Vector low, Vector high,
    const gfloat *coefficients, gsize stride)
{
  switch (kind) {
  case SRGAN_CURVE_SIGMOID:
    return sigmoid_vector (x);
  case SRGAN_CURVE_TANH:
    return tanh_vector (x);
  case SRGAN_CURVE_SILU:
    /* where exp_less_1() has come to its limit, x must not go on */
    return select_vector (x > fill_vector (-86), x, fill_vector (-86)) *
           sigmoid_vector (x);
  case SRGAN_CURVE_CLIP:
    return clamp_vector (x, low, high);
  case SRGAN_CURVE_ROOT:
    return root_vector (x + low, 0);
  case SRGAN_CURVE_INVERSE_ROOT:
    return fill_vector (1) / root_vector (x + low, FLT_MIN);
  default:
    return spline_vector (x, coefficients, stride);
  }
}

/* @kind is a constant. */
INLINE void
curve_fixed (gfloat *output, const gfloat *input, const SrganCurve *curve,
    SrganCurveKind kind, guint stride, guint width)
{
  const Vector low = fill_vector (curve->low), high = fill_vector (curve->high);
  /* One channel's curve is like another's: vectors may lie across pixels. */
  const gsize n = kind == SRGAN_CURVE_SPLINE ? stride : (gsize) width * stride;
  const gsize n_parts = kind == SRGAN_CURVE_SPLINE ? width : 1;

  for (gsize part = 0; part < n_parts; part++, input += n, output += n) {
    const gfloat *coefficients = curve->coefficients;
    gsize i = 0;

    for (; i + LANES <= n; i += LANES) {
      store_vector (output + i, curve_vector (load_vector (input + i), kind,
                                    low, high, coefficients, stride));
      if (kind == SRGAN_CURVE_SPLINE)
        coefficients += LANES;
    }
    if (i < n) {
      gfloat rest[LANES] = {0}, rows[SRGAN_CURVE_COEFFICIENTS][LANES] = {{0}};
      const gsize bytes = (n - i) * sizeof (gfloat);

      memcpy (rest, input + i, bytes);
      if (kind == SRGAN_CURVE_SPLINE)
        for (guint r = 0; r < SRGAN_CURVE_COEFFICIENTS; r++)
          memcpy (rows[r], coefficients + r * stride, bytes);
      store_vector (rest,
          curve_vector (load_vector (rest), kind, low, high, rows[0], LANES));
      memcpy (output + i, rest, bytes);
    }
  }
}

static void
curve_row (gfloat *output, const gfloat *input, const SrganCurve *curve,
    guint channels, guint stride, guint width)
{
  switch (curve->kind) {
  case SRGAN_CURVE_SIGMOID:
    curve_fixed (output, input, curve, SRGAN_CURVE_SIGMOID, stride, width);
    break;
  case SRGAN_CURVE_TANH:
    curve_fixed (output, input, curve, SRGAN_CURVE_TANH, stride, width);
    break;
  case SRGAN_CURVE_SILU:
    curve_fixed (output, input, curve, SRGAN_CURVE_SILU, stride, width);
    break;
  case SRGAN_CURVE_CLIP:
    curve_fixed (output, input, curve, SRGAN_CURVE_CLIP, stride, width);
    break;
  case SRGAN_CURVE_SPLINE:
    curve_fixed (output, input, curve, SRGAN_CURVE_SPLINE, stride, width);
    break;
  case SRGAN_CURVE_ROOT:
    curve_fixed (output, input, curve, SRGAN_CURVE_ROOT, stride, width);
    break;
  case SRGAN_CURVE_INVERSE_ROOT:
    curve_fixed (output, input, curve, SRGAN_CURVE_INVERSE_ROOT, stride, width);
    break;
  }
  if (channels < stride)
    for (guint x = 0; x < width; x++)
      memset (output + (gsize) x * stride + channels, 0,
          (stride - channels) * sizeof (gfloat));
}
