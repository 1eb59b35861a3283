// How a session is to put out values, so that the readers of src/postgres/decode take them.
#pragma once

namespace arrowcdc::postgres {

// Whatever role and database say.
inline constexpr char kValueSettings[] =
    "SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3; SET timezone = "
    "'UTC'; SET bytea_output = 'hex'; SET xmloption = 'content'";

}  // namespace arrowcdc::postgres
