// The header by itself, in C++17: the wrapper is not needed to use it.
#include <mmsb.h>

static_assert(sizeof(MmsbState) == 8 && sizeof(MmsbPage) == 16 && sizeof(MmsbStatus) == 4);

int main() {
    MmsbState state{};
    MmsbStatus status = rust_state_open(nullptr, &state);
    return status == MMSB_STATUS_OK && rust_state_close(&state) == MMSB_STATUS_OK ? 0 : 1;
}
