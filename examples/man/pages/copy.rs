//! ie-copy(8): the forms of its command line, and its exit codes.

use super::page::{Page, whole};
use ie_container::copy::FORMS;
use ie_container::protocol::copying::Ended;
use ie_container::protocol::layout;

pub(super) fn page() -> String {
    let mut page = Page::new("ie-copy", "copies into and out of a container, as its user");
    page.heading("SYNOPSIS");
    for (form, _) in FORMS {
        page.paragraph(&format!("`ie-copy` {form}"));
    }
    page.heading("DESCRIPTION");
    page.paragraph(
        "The gateway runs it inside a container by exec, as the container's user and without a shell. It is a static program \
         that is bound read-only into each container, so that an image needs no tar. Nobody else has to call it.",
    );
    for (form, text) in FORMS {
        page.item(form, text);
    }
    page.paragraph(
        "With `--through` NONCE behind it, each form takes the gateway's channel in place of stdin and stdout. A path that does \
         not begin with / begins at the root.",
    );
    page.heading("EXIT STATUS");
    page.paragraph("One line on stderr says what went wrong, lines before it what was passed over.");
    for (code, text) in Ended::meanings() {
        page.item(&code.to_string(), text);
    }
    page.files(&[
        (layout::COPY_IN_CONTAINER, "The program inside a container."),
        (layout::CHANNEL_IN_CONTAINER, "The directory of the gateway's channel inside a container."),
    ]);
    page.see_also(&["ie-container-cp(1)", "ie-containerd(8)"].map(str::to_owned));
    whole("ie-copy", "8", &page.render())
}
