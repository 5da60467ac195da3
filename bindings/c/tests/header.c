/* The header by itself, twice, in C11: it needs no other before it, and no name in it is C++'s. */
#include <mmsb.h>
#include <mmsb.h>

/* Handles are one number each, and travel in a register. */
_Static_assert(sizeof(MmsbState) == 8 && sizeof(MmsbView) == 8, "handles are 64 bits");
_Static_assert(sizeof(MmsbPage) == 16, "a page is its owner and its id");
_Static_assert(sizeof(MmsbStatus) == 4, "a status is 32 bits");
_Static_assert(sizeof(MmsbRun) == 16, "a run is two numbers");
_Static_assert(MMSB_STATUS_OK == 0, "success is zero");

int main(void) { return rust_mmsb_version()[0] == 0; }
