// The plugin's version, as the hello frame tells it. ARROWCDC_VERSION comes from the build.
#pragma once

namespace arrowcdc::plugin {

inline constexpr const char* kPluginVersion = ARROWCDC_VERSION;

}  // namespace arrowcdc::plugin
