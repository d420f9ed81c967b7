// The one translation unit that compiles Boost.JSON: nothing to link, and its headers stay declarations elsewhere.
#include <boost/json/src.hpp>
