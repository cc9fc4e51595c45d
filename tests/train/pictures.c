/* tests: pictures to train and score with, made up on the spot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pictures.h"

#include <glib/gstdio.h>
#include <math.h>

#include "train/random.h"

SrganPicture *
test_picture_new_pattern (guint width, guint height)
{
  SrganPicture *picture = srgan_picture_new (width, height);

  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++)
      for (guint c = 0; c < 3; c++)
        picture->rgb[(y * width + x) * 3 + c] =
            (guint8) (x * x * 7 + y * 13 + x * y * 5 + c * 31);
  return picture;
}

SrganPicture *
test_picture_new_smooth (guint width, guint height, guint roughness)
{
  SrganPicture *picture = srgan_picture_new (width, height);

  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++)
      for (guint c = 0; c < 3; c++)
        picture->rgb[(y * width + x) * 3 + c] =
            (guint8) ((x * 3 + y * 2 + c * 17 + roughness * (x * y % 5)) % 200 +
                      20);
  return picture;
}

SrganPicture *
test_picture_new_scene (guint width, guint height, guint seed)
{
  SrganPicture *picture = srgan_picture_new (width, height);
  SrganRandom random = srgan_random_init (seed, 77, 0);
  gdouble centre[6][2], radius[6], shade[6];
  gdouble angle = srgan_random_between (&random, 0, G_PI);
  gdouble period = srgan_random_between (&random, 5, 15);

  for (guint i = 0; i < 6; i++) {
    centre[i][0] = srgan_random_between (&random, 0, width);
    centre[i][1] = srgan_random_between (&random, 0, height);
    radius[i] = srgan_random_between (&random, 4, width / 4.);
    shade[i] = srgan_random_between (&random, 30, 220);
  }
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++) {
      gdouble value = 120 + 40 * sin ((x * cos (angle) + y * sin (angle)) * 2 *
                                      G_PI / period);

      for (guint i = 0; i < 6; i++) {
        gdouble dx = x - centre[i][0], dy = y - centre[i][1];
        gdouble inside = CLAMP (radius[i] - sqrt (dx * dx + dy * dy), 0, 1);

        value += inside * (shade[i] - value);
      }
      for (guint c = 0; c < 3; c++)
        picture->rgb[((gsize) y * width + x) * 3 + c] =
            (guint8) CLAMP (value + 10. * c, 0, 255);
    }
  return picture;
}

gchar *
test_folder_new (guint n, guint side)
{
  GError *error = NULL;
  gchar *folder = g_dir_make_tmp ("srgan-test-XXXXXX", &error);

  g_assert_no_error (error);
  for (guint i = 0; i < n; i++) {
    g_autoptr (SrganPicture) picture = test_picture_new_scene (side, side, i);
    g_autofree gchar *name = g_strdup_printf ("scene%u_0.png", i);
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    g_assert_true (srgan_picture_save (picture, path, &error));
    g_assert_no_error (error);
  }
  return folder;
}

void
test_folder_remove (const gchar *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    if (g_file_test (path, G_FILE_TEST_IS_DIR))
      test_folder_remove (path);
    else
      g_remove (path);
  }
  g_rmdir (folder);
}
