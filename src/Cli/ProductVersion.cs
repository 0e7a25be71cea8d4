using System.Reflection;

namespace Weft.Cli;

/// <summary>The version of this build.</summary>
internal static class ProductVersion
{
    /// <summary>Major.minor.patch.</summary>
    public static string Text { get; } = typeof(ProductVersion).Assembly.GetName().Version!.ToString(3);
}
