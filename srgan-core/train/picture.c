/* train: pictures on disk, as 8-bit R'G'B'.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/picture.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <gio/gio.h>
#include <string.h>

#include "train/clip.h"

SrganPicture *
srgan_picture_new (guint width, guint height)
{
  SrganPicture *picture = g_new (SrganPicture, 1);

  picture->width = width;
  picture->height = height;
  picture->rgb = g_malloc0_n ((gsize) width * height, 3);
  return picture;
}

SrganPicture *
srgan_picture_load (const gchar *path, GError **error)
{
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  GError *cause = NULL;
  SrganPicture *picture;
  const guint8 *pixels;
  gint stride, channels;

  pixbuf = gdk_pixbuf_new_from_file (path, &cause);
  if (pixbuf == NULL) {
    g_set_error (error, SRGAN_ERROR,
        g_error_matches (cause, G_FILE_ERROR, G_FILE_ERROR_NOENT)
            ? SRGAN_ERROR_NOT_FOUND
            : SRGAN_ERROR_READ,
        "cannot read the picture %s: %s", path, cause->message);
    g_error_free (cause);
    return NULL;
  }

  picture = srgan_picture_new (
      gdk_pixbuf_get_width (pixbuf), gdk_pixbuf_get_height (pixbuf));
  pixels = gdk_pixbuf_read_pixels (pixbuf);
  stride = gdk_pixbuf_get_rowstride (pixbuf);
  channels = gdk_pixbuf_get_n_channels (pixbuf);
  for (guint y = 0; y < picture->height; y++) {
    const guint8 *row = pixels + (gsize) y * stride;
    guint8 *output = picture->rgb + (gsize) y * picture->width * 3;

    for (guint x = 0; x < picture->width; x++)
      memcpy (output + 3 * x, row + (gsize) channels * x, 3);
  }
  return picture;
}

gboolean
srgan_picture_save (
    const SrganPicture *picture, const gchar *path, GError **error)
{
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  g_autofree gchar *png = NULL;
  gsize length;
  GError *cause = NULL;

  pixbuf = gdk_pixbuf_new_from_data (picture->rgb, GDK_COLORSPACE_RGB, FALSE, 8,
      picture->width, picture->height, picture->width * 3, NULL, NULL);
  if (!gdk_pixbuf_save_to_buffer (pixbuf, &png, &length, "png", &cause, NULL) ||
      !g_file_set_contents (path, png, length, &cause)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE,
        "cannot write the picture %s: %s", path, cause->message);
    g_error_free (cause);
    return FALSE;
  }
  return TRUE;
}

void
srgan_picture_free (SrganPicture *picture)
{
  if (picture == NULL)
    return;
  g_free (picture->rgb);
  g_free (picture);
}

void
srgan_picture_crop (SrganPicture *picture, guint factor)
{
  guint width = picture->width / factor * factor;

  picture->height = picture->height / factor * factor;
  for (guint y = 1; y < picture->height; y++)
    memmove (picture->rgb + (gsize) y * width * 3,
        picture->rgb + (gsize) y * picture->width * 3, (gsize) width * 3);
  picture->width = width;
}

void
srgan_picture_get_luma (const SrganPicture *picture, gdouble *luma)
{
  gsize n = (gsize) picture->width * picture->height;

  for (gsize i = 0; i < n; i++) {
    const guint8 *pixel = picture->rgb + 3 * i;

    luma[i] =
        16 + (65.481 * pixel[0] + 128.553 * pixel[1] + 24.966 * pixel[2]) / 255;
  }
}

static gboolean
is_picture_name (const gchar *name)
{
  static const gchar *const endings[] = {
      ".png", ".bmp", ".jpg", ".jpeg", ".webp", ".ppm", ".tif", ".tiff", NULL};
  g_autofree gchar *lower = g_ascii_strdown (name, -1);

  for (guint i = 0; endings[i] != NULL; i++)
    if (g_str_has_suffix (lower, endings[i]))
      return TRUE;
  return FALSE;
}

/* @n_others counts the files that are not listed. */
static gboolean
list_folder (GPtrArray *paths, const gchar *folder, SrganListFlags flags,
    guint depth, guint *n_others, GError **error)
{
  GError *cause = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &cause);
  const gchar *name;

  if (dir == NULL) {
    g_set_error (error, SRGAN_ERROR,
        g_error_matches (cause, G_FILE_ERROR, G_FILE_ERROR_NOENT)
            ? SRGAN_ERROR_NOT_FOUND
            : SRGAN_ERROR_READ,
        "cannot open the folder %s: %s", folder, cause->message);
    g_error_free (cause);
    return FALSE;
  }
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    if (g_file_test (path, G_FILE_TEST_IS_DIR)) {
      /* the depth stops links that lead back up */
      if (flags & SRGAN_LIST_RECURSIVE && depth < 16 &&
          !list_folder (paths, path, flags, depth + 1, n_others, error))
        return FALSE;
    } else if (is_picture_name (name) ||
               (flags & SRGAN_LIST_CLIPS && srgan_clip_is_name (name))) {
      g_ptr_array_add (paths, g_steal_pointer (&path));
    } else {
      ++*n_others;
    }
  }
  return TRUE;
}

static gint
compare_paths (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *) a, *(const gchar *const *) b);
}

GPtrArray *
srgan_picture_list (const gchar *folder, SrganListFlags flags, GError **error)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  const gchar *clips =
      flags & SRGAN_LIST_CLIPS ? ", or of videos (.mp4, .mkv, .webm, ...)" : "";
  guint n_others = 0;

  if (!list_folder (paths, folder, flags, 0, &n_others, error))
    return NULL;
  if (paths->len == 0 && n_others == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND,
        "no pictures in %s: the folder is empty", folder);
    return NULL;
  }
  if (paths->len == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND,
        "no pictures in %s: none of its %u files has a picture's name (.png, "
        ".jpg, .jpeg, .webp, .bmp, .ppm, .tif, .tiff)%s",
        folder, n_others, clips);
    return NULL;
  }
  g_ptr_array_sort (paths, compare_paths);
  return g_steal_pointer (&paths);
}
