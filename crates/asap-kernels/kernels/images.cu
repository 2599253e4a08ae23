// A batch from a set of images in bytes: shifted, mirrored, normalised through a table, with a rectangle cut out.
#include "tensor.cuh"

// A thread a pixel.
extern "C" __global__ void __launch_bounds__(THREADS) images(const images_job *jobs, const Step *step) {
    const images_job &job = jobs[blockIdx.z];
    const u32 pixels = job.height * job.width, at = blockIdx.x * THREADS + threadIdx.x;
    const u32 image = at / pixels, pixel = at - image * pixels;
    if (image >= step->images) return;
    const Showing &showing = job.showings[image];
    const int row = (int)(pixel / job.width), column = (int)(pixel % job.width);
    const int from_row = row + showing.down;
    const int from_column = (showing.mirrored ? (int)job.width - 1 - column : column) + showing.right;
    const bool inside = from_row >= 0 && from_row < (int)job.height && from_column >= 0 && from_column < (int)job.width;
    const bool cut = row >= showing.cutout_top && row < showing.cutout_bottom && column >= showing.cutout_left &&
                     column < showing.cutout_right;
    const size_t from = inside ? (size_t)showing.index * pixels + (size_t)from_row * job.width + from_column : 0;
    for (u32 channel = 0; channel < job.channels; ++channel) {
        const u32 byte = inside ? job.set[from * job.channels + channel] : 0;
        job.pixels[(size_t)at * job.channels + channel] = cut ? 0.0f : job.normalised[channel * 256 + byte];
    }
    if (pixel == 0) job.labels[image] = showing.label;
}
