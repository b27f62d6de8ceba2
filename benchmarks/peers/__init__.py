"""What a user would pick instead of us, each as its documentation recommends, with what it needs to deliver to."""
