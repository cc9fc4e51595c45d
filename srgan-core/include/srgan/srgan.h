/* srgan-core: super-resolution networks and their CPU inference engine.
 *
 * Load or name a network (srgan-network.h), make a plan for a frame size and
 * pixel layout (srgan-engine.h), run the plan on frame after frame.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>
#include <srgan/srgan-network.h>
#include <srgan/srgan-engine.h>
