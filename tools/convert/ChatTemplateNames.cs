using Weft.Convert.Families;

namespace Weft.Convert;

/// <summary>The formats of prompts that --chat-template knows by name.</summary>
public static class ChatTemplateNames
{
    /// <summary>Those that chat models of an architecture were trained on; empty where none is known.</summary>
    public static IReadOnlyList<string> Of(string architecture) =>
        [.. FamilyCatalog.All.Where(family => family.Architectures.Contains(architecture)).SelectMany(family => family.ChatFormats).Select(format => format.Name).Distinct()];
}
