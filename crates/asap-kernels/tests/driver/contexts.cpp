// The device, its context, and the kernels.
#include "state.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <cstring>

namespace stand_in {

namespace {

const char *text_of(CUresult status) {
    switch (status) {
    case CUDA_SUCCESS: return "no error";
    case CUDA_ERROR_INVALID_VALUE: return "invalid argument";
    case CUDA_ERROR_OUT_OF_MEMORY: return "out of memory";
    case CUDA_ERROR_NOT_INITIALIZED: return "initialization error";
    case CUDA_ERROR_NO_DEVICE: return "no CUDA-capable device is detected";
    case CUDA_ERROR_INVALID_DEVICE: return "invalid device ordinal";
    case CUDA_ERROR_INVALID_IMAGE: return "device kernel image is invalid";
    case CUDA_ERROR_INVALID_CONTEXT: return "invalid device context";
    case CUDA_ERROR_NOT_FOUND: return "named symbol not found";
    case CUDA_ERROR_LAUNCH_FAILED: return "unspecified launch failure";
    default: return "another error";
    }
}

CUresult check_device(CUdevice device) {
    return device == 0 ? CUDA_SUCCESS : wrong(CUDA_ERROR_INVALID_DEVICE, "there is no device %d", device);
}

// The kernel of this name, out of the library where the shim and all kernels lie.
Kernel kernel_of(const char *name) {
    Dl_info shim, found;
    if (!strncmp(name, "asap_", 5) || !dladdr(reinterpret_cast<const void *>(&asap_host_launch), &shim)) return nullptr;
    void *library = dlopen(shim.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    void *symbol = library ? dlsym(library, name) : nullptr;
    if (library) dlclose(library);
    // What it was linked with is searched too.
    if (!symbol || !dladdr(symbol, &found) || found.dli_fbase != shim.dli_fbase) return nullptr;
    return reinterpret_cast<Kernel>(symbol);
}

} // namespace
} // namespace stand_in

using namespace stand_in;

extern "C" CUresult cuGetErrorString(CUresult status, const char **text) {
    *text = text_of(status);
    return CUDA_SUCCESS;
}

extern "C" CUresult cuInit(unsigned flags) {
    const Call call(__func__, Call::NOTHING);
    if (call.failed()) return call.failed();
    if (flags != 0) return wrong(CUDA_ERROR_INVALID_VALUE, "cuInit with flags");
    state().initialised = true;
    return CUDA_SUCCESS;
}

extern "C" CUresult cuDeviceGet(CUdevice *device, int number) {
    const Call call(__func__, Call::INITIALISED);
    if (call.failed()) return call.failed();
    if (number != 0) return CUDA_ERROR_INVALID_DEVICE;
    *device = 0;
    return CUDA_SUCCESS;
}

extern "C" CUresult cuDeviceGetName(char *name, int bytes, CUdevice device) {
    const Call call(__func__, Call::INITIALISED);
    if (call.failed()) return call.failed();
    if (const CUresult status = check_device(device)) return status;
    snprintf(name, static_cast<size_t>(bytes), "host stand-in");
    return CUDA_SUCCESS;
}

extern "C" CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    const Call call(__func__, Call::INITIALISED);
    if (call.failed()) return call.failed();
    if (const CUresult status = check_device(device)) return status;
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 132; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = 9; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = 0; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = static_cast<int>(state().most_shared); break;
    case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: *value = 1; break;
    default: return wrong(CUDA_ERROR_INVALID_VALUE, "attribute %d is not known here", static_cast<int>(attribute));
    }
    return CUDA_SUCCESS;
}

extern "C" CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    const Call call(__func__, Call::INITIALISED);
    if (call.failed()) return call.failed();
    if (const CUresult status = check_device(device)) return status;
    State &it = state();
    if (it.retained++ == 0) it.context = it.numbers += 16;
    *context = reinterpret_cast<CUcontext>(it.context);
    return CUDA_SUCCESS;
}

// The last release ends the context. The driver takes everything of it back then, but nobody may rely on being the last.
extern "C" CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    const Call call(__func__, Call::INITIALISED);
    if (call.refused()) return call.refused();
    if (const CUresult status = check_device(device)) return status;
    State &it = state();
    if (it.retained == 0) return wrong(CUDA_ERROR_INVALID_CONTEXT, "a context is released that nobody has");
    if (--it.retained > 0) return call.failed();
    const std::string forgotten = left();
    if (!forgotten.empty()) wrong(CUDA_ERROR_ILLEGAL_STATE, "a context ends with %s", forgotten.c_str());
    check_memory("a context that ends");
    forget_all();
    it.context = 0;
    return call.failed();
}

extern "C" CUresult cuCtxGetCurrent(CUcontext *context) {
    const Call call(__func__, Call::INITIALISED);
    if (call.refused()) return call.refused();
    *context = reinterpret_cast<CUcontext>(current);
    return CUDA_SUCCESS;
}

extern "C" CUresult cuCtxSetCurrent(CUcontext context) {
    const Call call(__func__, Call::INITIALISED);
    if (call.refused()) return call.refused();
    if (context && number(context) != state().context) {
        return wrong(CUDA_ERROR_INVALID_CONTEXT, "a context is made current that is none");
    }
    current = number(context);
    return CUDA_SUCCESS;
}

extern "C" CUresult cuModuleLoadData(CUmodule *module, const void *image) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.failed()) return call.failed();
    // Of a fat binary, and of machine code alone.
    const unsigned char fat[] = {0x50, 0xed, 0x55, 0xba}, elf[] = {0x7f, 'E', 'L', 'F'};
    if (memcmp(image, fat, sizeof fat) && memcmp(image, elf, sizeof elf)) {
        return wrong(CUDA_ERROR_INVALID_IMAGE, "what is loaded holds no kernels");
    }
    State &it = state();
    *module = it.modules.add(std::make_shared<Module>(), it.numbers);
    return CUDA_SUCCESS;
}

extern "C" CUresult cuModuleUnload(CUmodule module) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.refused()) return call.refused();
    State &it = state();
    const auto found = it.modules.find(module);
    if (!found) return wrong(CUDA_ERROR_INVALID_HANDLE, "cuModuleUnload of what is no module");
    for (const auto &stream : it.streams.objects) {
        if (!stream.second->queue.empty()) {
            wrong(CUDA_ERROR_ILLEGAL_STATE, "a module is unloaded before everything launched has run");
        }
    }
    for (const auto &function : found->functions) it.functions.objects.erase(function.second);
    it.modules.objects.erase(module);
    return call.failed();
}

extern "C" CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    const Call call(__func__, Call::CONTEXT);
    if (call.failed()) return call.failed();
    State &it = state();
    const auto found = it.modules.find(module);
    if (!found) return wrong(CUDA_ERROR_INVALID_HANDLE, "cuModuleGetFunction of what is no module");
    const auto known = found->functions.find(name);
    if (known != found->functions.end()) {
        *function = known->second;
        return CUDA_SUCCESS;
    }
    const auto made = std::make_shared<Function>();
    made->name = name;
    made->kernel = kernel_of(name);
    if (!made->kernel) return CUDA_ERROR_NOT_FOUND;
    *function = it.functions.add(made, it.numbers);
    found->functions[name] = *function;
    return CUDA_SUCCESS;
}

extern "C" CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    const Call call(__func__, Call::CONTEXT);
    if (call.failed()) return call.failed();
    const auto found = state().functions.find(function);
    if (!found) return wrong(CUDA_ERROR_INVALID_HANDLE, "cuFuncSetAttribute of what is no function");
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
        static_cast<unsigned>(value) > state().most_shared) {
        return wrong(CUDA_ERROR_INVALID_VALUE, "attribute %d of %s cannot be %d", static_cast<int>(attribute),
                     found->name.c_str(), value);
    }
    found->shared_bytes = static_cast<unsigned>(value);
    return CUDA_SUCCESS;
}
