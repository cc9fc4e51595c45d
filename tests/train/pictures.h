/* tests: pictures to train and score with, made up on the spot.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/picture.h"

G_BEGIN_DECLS

/* Every pixel another: wraps around at 256. */
SrganPicture *test_picture_new_pattern (guint width, guint height);
/* Gradients and small steps; @roughness more of these. */
SrganPicture *test_picture_new_smooth (
    guint width, guint height, guint roughness);
/* Lines, discs and stripes at random places: something to learn. */
SrganPicture *test_picture_new_scene (guint width, guint height, guint seed);

/* A new folder with @n scenes, name_0.png and on; remove it with
 * test_folder_remove(). (transfer full) */
gchar *test_folder_new (guint n, guint side);
void test_folder_remove (const gchar *folder);

G_END_DECLS
