// SPDX-License-Identifier: MIT
// The driver's library, of which the program only asks whether it is there.
extern "C" int alexnet_host_driver() { return 0; }
