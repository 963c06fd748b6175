# find_package(omkit): the SDK this file lies in, wherever it was moved to. Set CMAKE_PREFIX_PATH or omkit_ROOT to the SDK's folder;
# set_env.sh does.
#   omkit::ascendcl     the AscendCL C API, <acl/acl.h>
#   omkit::edge_infer   the header-only C++ wrapper, <edge_infer.h>
#   omkit::rt           the static runtime for targets without an operating system, <omkit_rt.h>
#   omkit_ATC           the compiler
get_filename_component(omkit_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(omkit_INCLUDE_DIRS "${omkit_PREFIX}/include")
set(omkit_ATC "${omkit_PREFIX}/bin/atc")

if(NOT TARGET omkit::ascendcl)
  add_library(omkit::ascendcl SHARED IMPORTED)
  set_target_properties(omkit::ascendcl PROPERTIES
    IMPORTED_LOCATION "${omkit_PREFIX}/lib64/libascendcl.so.1"
    IMPORTED_SONAME "libascendcl.so.1"
    INTERFACE_INCLUDE_DIRECTORIES "${omkit_INCLUDE_DIRS}")
  add_library(omkit::edge_infer INTERFACE IMPORTED)
  set_target_properties(omkit::edge_infer PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${omkit_INCLUDE_DIRS}"
    INTERFACE_COMPILE_FEATURES cxx_std_11
    INTERFACE_LINK_LIBRARIES omkit::ascendcl)
endif()
if(NOT TARGET omkit::rt AND EXISTS "${omkit_PREFIX}/lib64/libomkit_rt.a")
  add_library(omkit::rt STATIC IMPORTED)
  set_target_properties(omkit::rt PROPERTIES
    IMPORTED_LOCATION "${omkit_PREFIX}/lib64/libomkit_rt.a"
    INTERFACE_INCLUDE_DIRECTORIES "${omkit_INCLUDE_DIRS}")
endif()
set(omkit_LIBRARIES omkit::ascendcl)
