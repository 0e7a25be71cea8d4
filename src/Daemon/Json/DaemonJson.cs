using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weft.Daemon;

/// <summary>The few values that are serialized as a whole; everything else is written field by field.</summary>
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class DaemonJson : JsonSerializerContext;
